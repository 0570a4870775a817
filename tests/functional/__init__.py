"""Real servers and real clients on loopback."""
