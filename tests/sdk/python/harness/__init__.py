"""What every suite that drives the real binary shares: the process, the SDK calls, pictures."""
