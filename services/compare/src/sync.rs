//! Works on runs of `inventory.sync`: reads a tenant by policy type and remembers what it sees.
