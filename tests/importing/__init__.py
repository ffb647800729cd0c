"""What other logs have recorded, brought into this one."""
