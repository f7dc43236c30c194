/** What `bin/netyard daemon …` starts: the daemon alone, without the command's tables. */
const { runDaemon } = await import('@netyard/daemon');
process.exitCode = await runDaemon(process.argv.slice(2));
