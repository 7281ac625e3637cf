"""Deployments: from verdicts to a folder that answers every task."""
