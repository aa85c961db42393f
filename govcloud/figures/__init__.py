"""Dated facts and a definition in, rates out; pure."""
