"""Alembic's migrations of the PostgreSQL schema `drillmark`, in order. Each only adds, or raises the format."""
