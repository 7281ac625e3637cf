"""Time stamps of a table: the form they are written in, the time zone, the order of the rows, the series they belong
to."""
