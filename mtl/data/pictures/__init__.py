"""Image files → pixels: decoding, bringing to one size, and the processes that do so side by side; free of torch."""
