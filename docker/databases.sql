-- Beside POSTGRES_DB, which holds the studies: what MLflow keeps, and its users. Run once, when the server is made.
CREATE DATABASE mlflow;
CREATE DATABASE mlflow_auth;
