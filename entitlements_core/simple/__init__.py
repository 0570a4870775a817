"""Pure: the Simple repository API, values to text and content negotiation."""
