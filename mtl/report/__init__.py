"""Table in the terminal, figures and offline page, which people read; imports no torch and no mlflow."""
