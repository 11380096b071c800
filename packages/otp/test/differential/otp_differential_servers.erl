%% A server whose messages say what it does; it writes down what it is asked and how it ends.
-module(otp_differential_servers).
-behaviour(gen_server).

-export([play/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, handle_continue/2, terminate/2]).

play(#{'_' := 'Start', trap := Trap, dies := Dies}) ->
    {ok, Pid} = gen_server:start(?MODULE, {Trap, Dies}, [{spawn_opt, [{priority, high}]}]),
    Name = list_to_atom(lists:concat([s, ets:update_counter(stage, servers, 1, {servers, 0})])),
    ets:lookup_element(stage, collector, 2) ! {watch, self(), Pid, Name, server},
    receive watched -> ok end,
    ets:insert(stage, [{{pid, Name}, Pid}, {server, Pid}]);
play(#{'_' := 'Call', turn := Turn}) ->
    Server = server(),
    otp_differential:ask(fun() -> ["replied ", atom_to_list(gen_server:call(Server, Turn, infinity))] end);
play(#{'_' := 'Cast', turn := Turn}) ->
    gen_server:cast(server(), Turn);
play(#{'_' := 'Info', turn := Turn}) ->
    server() ! {turn, Turn};
play(#{'_' := 'Exit', reason := Reason}) ->
    exit(server(), reason(Reason));
play(#{'_' := 'Stop', reason := Reason}) ->
    Server = server(),
    otp_differential:ask(fun() ->
        gen_server:stop(Server, reason(Reason), infinity),
        ["exited: ", otp_differential:reason(reason(Reason))]
    end);
play(#{'_' := 'Hold'}) ->
    gen_server:cast(server(), #{'_' => hold});
play(#{'_' := 'Release'}) ->
    server() ! release.

server() -> ets:lookup_element(stage, server, 2).

init({Trap, Dies}) ->
    process_flag(trap_exit, Trap),
    {ok, {Dies, []}}.

handle_call(Turn, From, State) -> turn(call, Turn, From, State).

handle_cast(#{'_' := hold}, State) ->
    receive release -> {noreply, State} end;
handle_cast(Turn, State) ->
    turn(cast, Turn, none, State).

handle_info({turn, Turn}, State) ->
    turn(info, Turn, none, State);
handle_info({'EXIT', _, Reason}, State) ->
    otp_differential:note(["exit ", otp_differential:reason(Reason)]),
    {noreply, State};
handle_info(_, State) ->
    {noreply, State}.

handle_continue(Turn, State) -> turn(continue, Turn, none, State).

terminate(Reason, {Dies, _}) ->
    otp_differential:note(["terminate ", otp_differential:reason(Reason)]),
    case Dies of true -> error(boom); false -> ok end.

turn(Kind, Turn = #{'_' := Act}, From, State = {Dies, Waiting}) ->
    otp_differential:note([Kind, " ", Act]),
    case Act of
        reply when From =/= none -> {reply, now, State};
        later when From =/= none -> {noreply, {Dies, [From | Waiting]}};
        settle ->
            [gen_server:reply(Caller, later) || Caller <- Waiting],
            {noreply, {Dies, []}};
        stop -> {stop, reason(maps:get(reason, Turn)), State};
        stopReply when From =/= none -> {stop, reason(maps:get(reason, Turn)), last, State};
        crash ->
            % Outside the one scheduler, where others would go on: who plays has to wait for such a one too.
            erts_debug:dirty_io(wait, 1),
            error(boom);
        junk -> junk;
        continue when From =/= none -> {reply, now, State, {continue, maps:get(next, Turn)}};
        continue -> {noreply, State, {continue, maps:get(next, Turn)}};
        _ -> {noreply, State}
    end.

reason(killed) -> kill;
reason('shutdown(moved)') -> {shutdown, moved};
reason(crash) -> boom;
reason(Reason) -> Reason.
