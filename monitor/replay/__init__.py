"""The program ``monitor replay``: recordings in, alerts and reports out."""
