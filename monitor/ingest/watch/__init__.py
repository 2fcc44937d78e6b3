"""What a camera shows at a glance: motion, tampering, and how often it is worth analysing."""
