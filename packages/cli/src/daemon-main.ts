/** Entry point of `bin/netyard daemon …`: the daemon without the CLI's tables. */
import('@netyard/daemon')
  .then(({ runDaemon }) => runDaemon(process.argv.slice(2)))
  .then((code) => {
    process.exitCode = code;
  });
