"""Plans: versioned sets of template and environment files, their phase record and their lock."""
