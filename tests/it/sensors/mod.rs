//! Tests of `sensors` through its public face.

mod beacon;
mod listener;
mod log;
mod mail_clients;
mod observer;
mod paste;
mod portal;
mod smtp;
mod smtp_noise;
