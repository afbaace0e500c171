//! Words, names, texts and numbers of a statement.
