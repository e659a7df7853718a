-- The same tools/call again and again, its body from BENCH_BODY.
dofile(os.getenv("BENCH_LOADS") .. "/report.lua")

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
