"""The version of this program, as others are told of it."""

VERSION = "0.1.0"
