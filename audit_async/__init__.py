"""audit_async"""
