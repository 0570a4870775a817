"""Use cases: policy, store and plugins put together."""
