"""When a head is judged: crops and alerts in order of need, within a budget."""
