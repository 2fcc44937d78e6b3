"""Stage 6: Keeping pictures and videos of what happened, with boxes drawn in."""
