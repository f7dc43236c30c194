# Prints what script/test-results.ts wrote: the tests that failed, then the sums. Exits with 1 when any failed.
$1 == "FAILED" { printf "failed: %s: %s\n", $2, $3; next }
{ split($0, counts, " "); passed += counts[1]; failed += counts[2]; skipped += counts[3] }
END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 }
