"""Many runs: who asks for one, who starts it, and who brings it to its end.

Public names: `dispatcher.Dispatcher`, `models.Executor`, `models.Job`, `models.Standing`,
`models.Outcome`, `process_executor.ProcessExecutor`, `docker_executor.DockerExecutor`,
`docker_client.DockerEngine`, `docker_client.create_arguments`,
`docker_client.host_arguments`, `docker_networks.interface_name`.
"""
