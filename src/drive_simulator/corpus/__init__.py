"""Seeded worlds of realistic trees."""
