//! Spans and events, for the cargo feature `tracing`. Without it they compile
//! to nothing.

/// Enters a span for the rest of the block: `span!("name", field = value)`.
#[cfg(feature = "tracing")]
macro_rules! span {
    ($name:literal $(, $field:ident = $value:expr)* $(,)?) => {
        let _span = tracing::debug_span!($name $(, $field = $value)*).entered();
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! span {
    ($name:literal $(, $field:ident = $value:expr)* $(,)?) => {
        $(let _ = &$value;)*
    };
}

/// Records an event: `event!(INFO, field = value, "message")`.
#[cfg(feature = "tracing")]
macro_rules! event {
    ($level:ident $(, $field:ident = $value:expr)*, $message:literal) => {
        tracing::event!(tracing::Level::$level $(, $field = $value)*, $message)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! event {
    ($level:ident $(, $field:ident = $value:expr)*, $message:literal) => {{
        $(let _ = &$value;)*
    }};
}

pub(crate) use {event, span};
