/** Entry point of `bin/netyard daemon …`: the daemon without the CLI's tables. */
const { runDaemon } = await import('@netyard/daemon');
process.exitCode = await runDaemon(process.argv.slice(2));
