"""The Run, hot reload, state transfer, recovery of a lost device."""
