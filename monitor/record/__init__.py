"""Stage 6: Keeping what people will want to see: pictures and videos with the boxes drawn in."""
