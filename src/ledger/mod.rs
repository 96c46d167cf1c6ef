//! The queryable state, rebuilt from the journal.
