"""What watches the system can see it: rules, dashboards and documents against what really is measured."""
