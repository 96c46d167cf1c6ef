//! A leaked file to streams of text.
