"""The hooks of devpi-server: loaded by every one of the environment, inert unless configured."""
