"""What people read: the table in the terminal, the figures and the offline page; imports no torch and no mlflow."""
