"""Plans in Swift: the account, what is kept there and how, and who has written a number first."""
