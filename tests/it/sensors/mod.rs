//! Tests of `sensors` through its public face.

mod beacon;
mod listener;
mod log;
mod log_formats;
mod mail_clients;
mod observer;
mod paste;
mod portal;
mod smtp;
mod smtp_noise;
