//! The fields of a persona, under the names that configuration, API and documentation use.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! fields {
    ($($variant:ident = $name:literal),+ $(,)?) => {
        /// One field of a persona.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Field { $(#[doc = $name] $variant),+ }

        impl Field {
            /// Every field, in the order in which people read a personnel record.
            pub const ALL: &'static [Field] = &[$(Field::$variant),+];

            /// The name in configuration, JSON and messages.
            pub fn as_str(self) -> &'static str {
                match self { $(Field::$variant => $name),+ }
            }
        }
    };
}

fields! {
    GivenName = "given_name", FamilyName = "family_name", Gender = "gender", BirthDate = "birth_date",
    BirthPlace = "birth_place", Nir = "nir", WorkEmail = "work_email", PersonalEmail = "personal_email",
    Phone = "phone", Address = "address", Postcode = "postcode", City = "city", Iban = "iban", Bic = "bic",
    EmployeeNumber = "employee_number", JobTitle = "job_title", Department = "department", Manager = "manager",
    HireDate = "hire_date", Contract = "contract", Salary = "salary", Username = "username",
    Password = "password", BadgeNumber = "badge_number", HealthInsurer = "health_insurer",
    LeaveReason = "leave_reason",
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Field::ALL
            .iter()
            .copied()
            .find(|field| field.as_str() == name)
            .ok_or_else(|| format!("no persona field is called {name:?}"))
    }
}
