"""Commands for people: one short file each. Their output may improve freely."""
