"""Programs about the project itself, run by make and by hand; none of them is a test."""
