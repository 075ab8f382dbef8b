"""One sans-I/O codec a protocol: bytes in, events out, bytes out. No socket, no clock, no opinion about sides."""
