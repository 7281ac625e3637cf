"""Prepared arrays → tasks, pools of samples, and which of them every step draws."""
