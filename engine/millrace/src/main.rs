//! The command `millrace`.

fn main() -> std::process::ExitCode {
    millrace::main()
}
