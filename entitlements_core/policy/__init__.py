"""Pure: values and rules. No clock, no IO, no SQL, no framework; `now` is an argument."""
