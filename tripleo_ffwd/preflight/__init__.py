"""What is looked at before a phase touches anything: findings, waivers, reports, and the checks that make them."""
