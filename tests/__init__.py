"""The tests mirror the tree; functional/ runs real servers and real clients."""
