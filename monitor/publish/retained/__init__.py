"""What the broker keeps of ours, and the commands it brings."""
