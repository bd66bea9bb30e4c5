"""DATA.md's tables of columns, and the small archive that its examples and answers come from.

Spine: after commit; it reads the schemas that encode writes by.
"""
