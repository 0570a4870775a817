"""The policy: values in, values out."""
