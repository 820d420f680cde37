//! How to reach the database, and the limits every connection carries.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::password;

/// Where the database is and the limits of a pool. All limits are upper bounds; none is "unlimited".
#[derive(Clone)]
pub struct Settings {
    /// `postgres://role[:password]@host[:port]/database[?sslmode=...]`. May hold a password: never logged.
    pub url: String,
    /// File with the role's password, which is then not in the URL.
    pub password_file: Option<PathBuf>,
    /// How often that file is looked at for a new one.
    pub password_interval: Duration,
    /// Shown in `pg_stat_activity`, so that a stuck transaction names its owner.
    pub application_name: String,
    /// Connections of this pool. All pools of all replicas together must stay below the server's `max_connections`.
    pub max_connections: u32,
    /// How long a caller waits for a free connection before it is turned away.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long a transaction may sit between two statements. A writer idle in a transaction holds back the watch of
    /// the whole cluster, so this bounds how long a crashed or stuck one can.
    pub idle_in_transaction_timeout: Duration,
}

impl Settings {
    /// The usual limits: ten connections, 5 s to get one, 15 s per statement, 5 s for a lock, 10 s idle in transaction.
    pub fn new(url: impl Into<String>, application_name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password_file: None,
            password_interval: Duration::from_secs(5),
            application_name: application_name.into(),
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(15),
            lock_timeout: Duration::from_secs(5),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }

    /// The same with another size of the pool.
    pub fn max_connections(self, max_connections: u32) -> Self {
        Self { max_connections, ..self }
    }

    /// The password, if there is a file of it.
    pub(crate) async fn password(&self) -> Result<Option<String>, sqlx::Error> {
        match &self.password_file {
            Some(file) => password::read(file).await.map(Some),
            None => Ok(None),
        }
    }

    /// Where the database is and as whom, without limits. Fails for a URL that is none, and for two passwords.
    pub(crate) fn role(&self, password: Option<&str>) -> Result<PgConnectOptions, sqlx::Error> {
        // A wrong URL's error would tell what it was about, and that may be a password.
        let options = PgConnectOptions::from_str(&self.url)
            .map_err(|_| refused("the database's URL is none: postgres://role@host[:port]/database"))?;
        let Some(password) = password else { return Ok(options) };
        if has_password(&self.url) {
            return Err(refused("the database's URL has a password, and there is a file with one: which is meant?"));
        }
        Ok(options.password(password))
    }

    /// The options of one connection.
    pub(crate) fn connect_options(&self, password: Option<&str>) -> Result<PgConnectOptions, sqlx::Error> {
        let millis = |limit: Duration| limit.as_millis().to_string();
        Ok(self.role(password)?.application_name(&self.application_name).options([
            ("statement_timeout", millis(self.statement_timeout)),
            ("lock_timeout", millis(self.lock_timeout)),
            ("idle_in_transaction_session_timeout", millis(self.idle_in_transaction_timeout)),
            // Nothing is found by accident: every table is named with its schema.
            ("search_path", "pg_catalog".to_owned()),
        ]))
    }
}

fn refused(why: &str) -> sqlx::Error {
    sqlx::Error::Configuration(why.into())
}

/// Whether there is a password before the host or among the parameters.
fn has_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.split('/').next().unwrap_or_default();
    place.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
        || parameters.split('&').any(|parameter| parameter.starts_with("password="))
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("application_name", &self.application_name)
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_where_they_stand() {
        for with in [
            "postgres://role:secret@host/db",
            "postgres://role:@host:5432/db",
            "postgresql://a:b%40c@[::1]/d?x=y",
            "postgres://a@h/d?password=x",
        ] {
            assert!(has_password(with), "{with}");
        }
        for without in ["postgres://role@host:5432/db", "postgres://host:5432/db", "postgres://role@h/d?options=a:b@c"]
        {
            assert!(!has_password(without), "{without}");
        }
    }

    #[test]
    fn a_wrong_url_is_not_repeated_and_two_passwords_are_refused() {
        let told = |url: &str, password| Settings::new(url, "test").role(password).map(drop).map_err(|e| e.to_string());
        for wrong in ["postgres://role:hunter2@host:port/db", "hunter2"] {
            let why = told(wrong, None).unwrap_err();
            assert!(why.contains("postgres://role@host") && !why.contains("hunter2"), "{why}");
        }
        let why = told("postgres://role:hunter2@host/db", Some("hunter3")).unwrap_err();
        assert!(why.contains("which is meant") && !why.contains("hunter"), "{why}");
        assert_eq!(told("postgres://role@host/db", Some("hunter3")), Ok(()));
    }
}
