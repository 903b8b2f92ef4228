"""What the commands share: their arguments, the jobs they plan, the runs they choose."""
